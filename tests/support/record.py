"""What MLflow has on record of the runs of an experiment, without what differs between two equal runs."""

from pathlib import Path

from mlflow.tracking import MlflowClient

OWN = ("process", "offshelf_run", "offshelf_sent", "mlflow.runName")


def on_record(uri, experiment="offshelf"):
    """By the runs' names."""
    client = MlflowClient(uri)
    (found,) = client.search_experiments(filter_string=f"name = '{experiment}'")
    runs = client.search_runs([found.experiment_id])
    names = {run.info.run_id: run.info.run_name for run in runs}
    assert len(set(names.values())) == len(runs), f"doubled: {sorted(names.values())}"
    return {run.info.run_name: _content(client, run, names) for run in runs}


def _content(client, run, names):
    tags = {name: names.get(value, value) for name, value in run.data.tags.items() if name not in OWN}
    return {
        "status": run.info.status,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": tags,
        "inputs": [
            (one.dataset.name, one.dataset.digest, one.dataset.profile, [(tag.key, tag.value) for tag in one.tags])
            for one in run.inputs.dataset_inputs
        ],
        "files": _files(client, run.info.run_id),
        "history": {name: len(client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics},
    }


def _files(client, run, folder=None):
    found = {}
    for item in client.list_artifacts(run, folder):
        if item.is_dir:
            found |= _files(client, run, item.path)
        else:
            found[item.path] = Path(client.download_artifacts(run, item.path)).read_bytes()
    return found
