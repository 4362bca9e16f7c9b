"""Where the jobs of a sweep run: in this process, in others of this machine, on a cluster."""

from offshelf.config.job import Job
from offshelf.launcher.basic import Basic
from offshelf.launcher.job import Ending, perform_job, perform_jobs
from offshelf.launcher.joblib import Joblib
from offshelf.launcher.launcher import Launcher, Lost
from offshelf.launcher.ray import Ray
from offshelf.launcher.slurm import Slurm

__all__ = ["Basic", "Ending", "Job", "Joblib", "Launcher", "Lost", "Ray", "Slurm", "perform_job", "perform_jobs"]
