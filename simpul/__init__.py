"""The program: all services in one process, the command line, the API client and the demo."""
