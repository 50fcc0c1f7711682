//! What the customer wants: eight classes, or an abstention.
