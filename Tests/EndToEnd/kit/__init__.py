"""What the end-to-end tests share: processes, servers, bodies, load."""
