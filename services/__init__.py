"""The four services of Simpul and the command line that runs them."""
