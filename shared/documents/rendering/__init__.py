"""Page images of documents."""
