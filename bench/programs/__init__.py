"""The programs that are measured as whole processes: `python -m bench.programs.<name> MODE REQUEST`.

REQUEST is a JSON file that `bench/provisioning.py` or `bench/estate.py` writes. Those of the job `provision`
know the mode `nothing`: start, import, make the clients, and end, which is what it costs before any work.
"""
