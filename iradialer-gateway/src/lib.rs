//! HTTPS API, router, event collector and webhooks for a fleet of FreeSWITCH servers running mod_iradialer.
