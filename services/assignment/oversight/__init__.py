"""What the structural head sees of the whole service: satisfaction report, dashboard, register and public figures."""
