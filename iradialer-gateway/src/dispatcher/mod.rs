//! Delivers events to webhooks.
