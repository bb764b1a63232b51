"""`python -m glotmill.trainer train.yaml`, as torchrun and srun start it."""

from glotmill.trainer.launch import end_process, main

if __name__ == "__main__":
    end_process(main())
