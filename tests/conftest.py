"""What every test needs: TensorFlow quiet, and on the Keras backend tenfold trains with."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
