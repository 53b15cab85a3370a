"""Tasks by HTTP: submit them, see what becomes of them, cancel them. And whether this process is well."""
