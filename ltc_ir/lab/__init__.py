"""The LTC publication: models, training, experiments, their records, pictures and command; a user of the api."""
