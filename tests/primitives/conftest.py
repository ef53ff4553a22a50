from hypothesis import settings

# A busy machine must not fail a property; the time of a test is watched by pytest --durations.
settings.register_profile("primitives", deadline=None)
settings.load_profile("primitives")
