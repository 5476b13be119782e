"""The Linux fence: bubblewrap, the helper that enters its namespace, the kernel filter."""
