"""What a whole lifecycle costs, beside the least that any server doing the same durable work would cost."""
