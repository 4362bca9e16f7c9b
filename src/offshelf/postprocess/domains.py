"""Standardisation of training and test images apart."""

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler


class DomainScaler(StandardScaler):  # type: ignore[misc]
    """Standardises each dimension by the mean and variance of the training images, and of test images by their own.

    It removes the shift and the scale by which two domains differ, such as photographs of two cameras. This is the
    preprocessing of the Office-Caltech10 literature (Gong et al., "Geodesic flow kernel for unsupervised domain
    adaptation", CVPR 2012), and of AdaBN (Li et al., 2016) for the input of a network's layers. It is transductive: the
    statistics of all test images, without their labels, are used to classify each of them.
    """

    def adapted(self, X: np.ndarray) -> "DomainScaler":
        """Return the transformer of another domain, of which X [R, D] are all rows."""
        scaler: DomainScaler = clone(self).fit(X)
        return scaler
