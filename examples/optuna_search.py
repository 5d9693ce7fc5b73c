# %% [markdown]
# # Optuna: a search that stops bad candidates early
#
# Optuna proposes parameters, more and more of them near the best so far. After each
# epoch, a callback reports the score on the validation rows, and a candidate that is
# worse than half of the others at this epoch is stopped. Callbacks need scikit-learn
# 1.9.

# %%
from pathlib import Path

import numpy as np
import optuna
from _data import load_interactions
from matplotlib.figure import Figure

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")
users = interactions["user_id"].drop_duplicates().sample(150, random_state=0)
sample = interactions[interactions["user_id"].isin(users)]
train, test = leave_last_out_split(sample, unit="time")
fitted, validation = leave_last_out_split(train, unit="time")

# %% [markdown]
# ## The baseline

# %%
baseline = ItemKNNRecommender().fit(train).score(test)
print(f"Item kNN: HR@10 {baseline:.3f}")

# %% [markdown]
# ## A callback that prunes
#
# scikit-learn calls `on_fit_task_end` after each epoch, with the model as it is then.
# The result True ends the fit.


# %%
class Pruning:
    """Report the score of each epoch to a trial of Optuna."""

    def __init__(self, trial):
        self.trial = trial

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name != "epoch":
            return False
        score = fitted_estimator.score(validation)
        self.trial.report(score, step=len(fitted_estimator.loss_curve_))
        return self.trial.should_prune()


# %% [markdown]
# ## The search
#
# The value of a trial is its score on the validation rows; the test rows are not used.


# %%
def objective(trial):
    model = AttRecRecommender(
        omega=trial.suggest_float("omega", 0.0, 0.6),
        gamma=trial.suggest_float("gamma", 0.1, 1.0),
        L=trial.suggest_int("L", 2, 8),
        d=trial.suggest_int("d", 16, 64, step=16),
        learning_rate=trial.suggest_float("learning_rate", 0.001, 0.03, log=True),
        max_iter=5,
        random_state=0,
    )
    model.set_callbacks(Pruning(trial)).fit(fitted)
    if trial.should_prune():
        raise optuna.TrialPruned
    return model.score(validation)


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
)
study.optimize(objective, n_trials=16)
states = [trial.state for trial in study.trials]
n_pruned = states.count(optuna.trial.TrialState.PRUNED)
epochs = sum(len(trial.intermediate_values) for trial in study.trials)
print(f"{len(states)} candidates, {n_pruned} stopped early, {epochs} epochs in total")
best = {name: round(value, 3) for name, value in study.best_params.items()}
print(f"Best candidate: HR@10 {study.best_value:.3f} on the validation rows, {best}")

# %% [markdown]
# ## The test
#
# The best candidate is fitted on all training rows.

# %%
model = AttRecRecommender(**study.best_params, max_iter=5, random_state=0).fit(train)
print("\nOn the test rows:")
print(f"Item kNN: HR@10 {baseline:.3f}")
print(f"AttRec:   HR@10 {model.score(test):.3f}")

# %% [markdown]
# ## The candidates
#
# Each line is a candidate; orange lines end where it was stopped.

# %%
figure = Figure(figsize=(6, 4), layout="constrained")
axes = figure.subplots()
for trial in study.trials:
    is_pruned = trial.state == optuna.trial.TrialState.PRUNED
    steps = np.array(sorted(trial.intermediate_values.items()))
    axes.plot(*steps.T, "-o", ms=3, color="#e69f00" if is_pruned else "#0072b2")
axes.set(xlabel="epoch", ylabel="HR@10 on validation rows", xticks=range(1, 6))
axes.set_title("A search with Optuna: stopped candidates are orange")
picture = Path(__file__).with_suffix(".png")
figure.savefig(picture)
print(f"\nFigure: {picture}")
