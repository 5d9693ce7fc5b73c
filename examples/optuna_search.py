"""
Optuna: stop bad candidates early
=================================

Optuna proposes parameters, more and more of them near the best so far. After each
epoch, a callback reports the score on the validation rows, and a candidate that is
worse than half of the others at this epoch is stopped. The picture shows where each
candidate ended. Callbacks need scikit-learn 1.9.
"""

# %%
# The data
# --------
#
# A sample of 150 users keeps the example short. Candidates are fitted on `fitted` and
# compared on `validation`; the test rows are not used in the search.

import matplotlib.pyplot as plt
import numpy as np
import optuna
from _data import load_interactions, sample_users

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")
train, test = leave_last_out_split(sample_users(interactions, 150), unit="time")
fitted, validation = leave_last_out_split(train, unit="time")

# %%
# The baseline
# ------------

baseline = ItemKNNRecommender().fit(fitted).score(validation)
print(f"Item kNN: HR@10 {baseline:.3f} on the validation rows")


# %%
# A callback that prunes
# ----------------------
#
# scikit-learn calls `on_fit_task_end` after each epoch, with the model as it is then.
# The result True ends the fit.


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


# %%
# The search
# ----------
#
# The value of a trial is its score on the validation rows.


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
study.optimize(objective, n_trials=12)
is_pruned = [trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials]
epochs = sum(len(trial.intermediate_values) for trial in study.trials)
print(f"{len(is_pruned)} candidates, {sum(is_pruned)} stopped, {epochs} epochs in all")
best = {name: round(value, 3) for name, value in study.best_params.items()}
print(f"Best candidate: HR@10 {study.best_value:.3f} on the validation rows, {best}")

# %%
# Each line is a candidate. Dashed lines end where the candidate was stopped.

fig, ax = plt.subplots(layout="constrained")
ax.axhline(baseline, color="#999999", linestyle="--", label="Item kNN")
for label, stopped, color, style in [
    ("Finished", False, "#0072B2", "-o"),
    ("Stopped early", True, "#E69F00", "--s"),
]:
    for trial, pruned in zip(study.trials, is_pruned, strict=True):
        if pruned == stopped:
            steps = np.array(sorted(trial.intermediate_values.items()))
            ax.plot(*steps.T, style, color=color, label=label)
            label = "_nolegend_"  # one entry per colour
ax.set(title="Weak candidates are stopped early", xticks=range(1, 6), xlabel="Epoch")
ax.set_ylabel("HR@10 on the validation rows, higher is better")
ax.legend(loc="lower right")
plt.show()

# %%
# The test
# --------
#
# The baseline and the best candidate are fitted on all training rows.

model = AttRecRecommender(**study.best_params, max_iter=5, random_state=0).fit(train)
print("On the test rows:")
print(f"Item kNN: HR@10 {ItemKNNRecommender().fit(train).score(test):.3f}")
print(f"AttRec:   HR@10 {model.score(test):.3f}")
