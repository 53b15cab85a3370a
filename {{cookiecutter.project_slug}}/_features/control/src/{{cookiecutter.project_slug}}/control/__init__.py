"""Control of queues and periodic tasks: pause and resume both, and run a periodic task now.

A pause is a row in the database, so it survives a restart of workers, beat and broker.
"""
