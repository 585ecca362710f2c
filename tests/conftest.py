"""Settings for every test: Hypothesis may take its time, since nothing here depends on how fast the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
