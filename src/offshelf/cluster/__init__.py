"""Ray: actors on the nodes of a cluster, for the jobs of sweeps and for extraction. Only this package imports Ray."""

from offshelf.cluster.ray_cluster import RayCluster
from offshelf.cluster.seats import Answer, Gone, Opened, Seats, pickled

__all__ = ["Answer", "Gone", "Opened", "RayCluster", "Seats", "pickled"]
