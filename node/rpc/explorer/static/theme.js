// A classic script in the head, so that a chosen theme is there before the first paint.
{
  const KEY = "hanse-theme";
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const chosen = read();
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
