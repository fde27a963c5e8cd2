// A search shows the pages for users first: what writes of the inside and of adapters comes last.
var Scorer = {
  score: ([page, , , , score]) => {
    if (/^(reference\/adapter|design|one-call)/.test(page)) return score - 100;
    if (/^(reference|write-an-adapter|plans)/.test(page)) return score - 50;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
