from pathlib import Path

from tests.tidy.sources import ROOT, project_paths


def test_folder_that_git_ignores_is_no_part_of_the_project(tmp_path: Path) -> None:
    ignored = [
        line.strip("/")
        for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
        if line.endswith("/") and "*" not in line
    ]
    assert "devnet-network" in ignored
    for name in ignored:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "left.py").touch()
    (tmp_path / "kept.py").touch()
    assert list(project_paths(tmp_path)) == [tmp_path / "kept.py"]
