"""scikit-learn without parts of SciPy: they are missing until they are used, and then nothing is different."""

import json
import subprocess
import sys

import pytest

CODE = """
import json, sys
import numpy as np
if sys.argv[1] == "light":
    from offshelf.light_imports import import_sklearn
    import_sklearn()
    assert not {"scipy.stats", "scipy.optimize", "pandas"} & set(sys.modules), "imported"
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, SplineTransformer
values = np.random.default_rng(0).gamma(2, size=(40, 3))
found = [
    label_ranking_average_precision_score(values > 2, -values),
    QuantileTransformer(n_quantiles=10, output_distribution="normal").fit_transform(values).tolist(),
    PowerTransformer().fit_transform(values).tolist(),
    SplineTransformer(4).fit_transform(values).tolist(),
    LogisticRegression().fit(values, values[:, 0] > 2).coef_.tolist(),
]
import scipy.optimize, scipy.stats, scipy.stats.qmc, pandas
found += [scipy.stats.norm.ppf(0.975), type(scipy.optimize).__name__, len(pandas.DataFrame(values))]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_same_results():
    """Of whatever uses those parts, and of imports of them afterwards."""
    command = [sys.executable, "-W", "ignore", "-c", CODE]
    processes = [subprocess.Popen([*command, how], stdout=-1, text=True) for how in ("light", "usual")]
    light, usual = (json.loads(process.communicate()[0]) for process in processes)

    assert light == usual
