"""Which adapters a process uses: embedded or distributed."""
