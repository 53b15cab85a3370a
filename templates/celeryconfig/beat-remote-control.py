# --- Beat answers `celery inspect ping`, and so the doctor
beat_enable_remote_control = True  # but not while it hangs
