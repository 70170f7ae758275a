"""AES (FIPS 197) as pipelined and iterative block ciphers."""
