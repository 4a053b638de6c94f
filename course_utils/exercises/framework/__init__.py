"""What every exercise shares: questions, probes, judgements."""
