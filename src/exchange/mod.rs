//! Outbox and inbox: deliveries, receipts, witnessing.
