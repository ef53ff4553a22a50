"""Byzantine validators and, later, poisoning trainers. Product code never imports this room."""
