"""The handover record (BAST, Berita Acara Serah Terima) as PDF."""
