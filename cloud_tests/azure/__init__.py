"""Azure, as the contract of tables needs it: a resource group with an account of Cosmos DB."""
