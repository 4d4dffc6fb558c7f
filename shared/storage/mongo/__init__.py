"""The state store on MongoDB (distributed mode)."""
