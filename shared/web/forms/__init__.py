"""Forms: multipart bodies, posted fields, and files uploaded before their form."""
