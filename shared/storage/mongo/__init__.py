"""The state store on MongoDB."""
