"""Long work in a thread: how it is started, shown in progress and cancelled."""
