# --- Beat answers pings, so that the doctor finds a second one
beat_enable_remote_control = True  # off by default
