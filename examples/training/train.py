"""A training run in small: one loop at the top level, and a model that is expensive to get."""

import time

RATE = 0.02


def report(epoch, loss):
    print(f"epoch {epoch:3}  loss {loss:.4f}", flush=True)


print("loading the model ...", flush=True)
weight, target = 10.0, 3.0

for epoch in range(1, 200):
    try:
        error = weight - target
        weight -= RATE * 2 * error
        report(epoch, error**2)
        if epoch == 24:
            raise FloatingPointError("a bad batch")
    except FloatingPointError as problem:
        print(f"epoch {epoch:3}  {problem}; the batch is left out", flush=True)
    if abs(error) < 0.001:
        print(f"done after {epoch} epochs, weight {weight:.3f}", flush=True)
        break
    time.sleep(0.25)
