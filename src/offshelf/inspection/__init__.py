"""What is wrong with the images and labels of a set: labels, copies, odd ones, classes that are one."""
