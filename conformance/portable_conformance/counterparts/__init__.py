"""What stands in for a cloud: programs that are started on demand, and servers of ours that speak its protocols."""
