"""The events of all services: facts by owner, the envelope, and the lifecycle that follows from them."""
