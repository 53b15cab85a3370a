# --- Beat: remote control, by which the doctor detects a second instance
beat_enable_remote_control = True  # off by default
