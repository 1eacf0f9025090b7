"""Channels to people: adapters of activities.notify.NotificationChannel, made from the plant file's `[notify]`."""
