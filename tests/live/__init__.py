"""Generated projects on real brokers: real workers, real beat, real messages."""
