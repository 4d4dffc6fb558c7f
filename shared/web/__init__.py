"""What the screens and the API of every service share: problems, access, uploads, lists, live updates."""
