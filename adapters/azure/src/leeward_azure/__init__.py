"""Azure for leeward: Functions, Storage queues, Event Grid and Cosmos DB."""
