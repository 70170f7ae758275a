"""The hardware around a core: its bus, its last cache or single beats, its devices."""
