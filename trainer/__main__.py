"""`python -m glotmill.trainer train.yaml`, as torchrun and srun start it."""

import sys

from glotmill.trainer.launch import main

if __name__ == "__main__":
    sys.exit(main())
