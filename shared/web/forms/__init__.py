"""Forms: multipart bodies, posted fields, and files that wait for their form."""
